import { createHash } from "node:crypto";
import type { Variable, VariableMetadata } from "../model/variable.js";
import type { Choice } from "./dependency.js";
import { strings } from "./functions/define.js";
import { bytesOf, type Functions, type GoFunction, GoList, GoMap, GoStruct, type Value } from "./go/values.js";
import type { CatalogService } from "./service-catalog.js";

/*
 * What templates get of variables and services: the members and methods of the reference's.
 */

const method = (call: () => Value): GoFunction => ({ parameters: [], call });

export function metadataValue({ Namespace, Path, CreateIndex, ModifyIndex }: VariableMetadata): GoStruct {
  const fields = new Map<string, Value>([
    ["Namespace", bytesOf(Namespace)],
    ["Path", bytesOf(Path)],
    ["CreateIndex", BigInt(CreateIndex)],
    ["ModifyIndex", BigInt(ModifyIndex)],
  ]);
  return new GoStruct("*dependency.NomadVarMeta", fields, new Map(), bytesOf(Path));
}

/** The items of a variable: a map whose elements print as their values. */
export function itemsValue(variable: Variable): GoMap {
  const metadata = metadataValue(variable);
  const pairs = Object.entries(variable.Items)
    .map(([key, value]) => [bytesOf(key), bytesOf(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const texts = (of: readonly string[]): GoList => strings(of);
  const items: GoMap = new GoMap(
    new Map(pairs.map(([key, value]) => [key, itemValue(key, value, metadata)] as const)),
    "any",
    new Map([
      ["Keys", method(() => texts(pairs.map(([key]) => key)))],
      ["Values", method(() => texts(pairs.map(([, value]) => value)))],
      ["Tuples", method(() => new GoList(pairs.map(([K, V]) => tuple(K, V))))],
      ["Metadata", method(() => metadata)],
      ["Parent", method(() => new GoStruct("*dependency.NomadVariable", new Map([...metadata.fields, ["Items", items as Value]])))],
      ["ItemsMap", method(() => new GoMap(new Map(pairs)))],
    ]),
    itemValue("", "", null),
  );
  return items;
}

const tuple = (K: string, V: string): GoStruct =>
  new GoStruct(
    "struct { K string; V string }",
    new Map([
      ["K", K],
      ["V", V],
    ]),
  );

function itemValue(key: string, value: string, metadata: GoStruct | null): GoStruct {
  const methods: Functions = new Map([
    ["String", method(() => value)],
    ["Metadata", method(() => metadata)],
    ["MarshalJSON", method(() => value)],
  ]);
  return new GoStruct(
    "dependency.NomadVarItem",
    new Map([
      ["Key", key],
      ["Value", value],
    ]),
    methods,
    value,
  );
}

export function serviceValue(service: CatalogService): GoStruct {
  const fields = new Map<string, Value>([
    ["ID", bytesOf(service.ID)],
    ["Name", bytesOf(service.Name)],
    ["Node", bytesOf(service.NodeID)],
    ["Address", bytesOf(service.Address)],
    ["Port", BigInt(service.Port)],
    ["Datacenter", bytesOf(service.Datacenter)],
    ["Tags", tagsValue(service.Tags)],
    ["JobID", bytesOf(service.JobID)],
    ["AllocID", bytesOf(service.AllocID)],
  ]);
  return new GoStruct("*dependency.NomadService", fields);
}

export function serviceStubValue({ Name, Tags }: { readonly Name: string; readonly Tags: readonly string[] }): GoStruct {
  return new GoStruct(
    "*dependency.NomadServicesSnippet",
    new Map<string, Value>([
      ["Name", bytesOf(Name)],
      ["Tags", tagsValue(Tags)],
    ]),
  );
}

export const pointers = (items: readonly Value[]): GoList => new GoList(items, "pointer");

function tagsValue(tags: readonly string[]): GoList {
  const sorted = tags.map(bytesOf).sort();
  const contains: GoFunction = { parameters: ["string"], call: ([tag]) => sorted.includes(String(tag)) };
  return new GoList(sorted, "string", new Map([["Contains", contains]]));
}

/** The instances whose hash with the key is lowest: others that come or go leave the choice as it is. */
export function chosen(services: readonly CatalogService[], choose: Choice | null): readonly CatalogService[] {
  if (!choose) return services;
  const hash = ({ Address, Port, ID }: CatalogService): string =>
    createHash("md5").update(`${Address}:${Port}:${ID}:${choose.key}`).digest("hex");
  return services
    .map((service) => [hash(service), service] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, Math.max(0, choose.count))
    .map(([, service]) => service);
}
