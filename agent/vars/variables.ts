import { AllocdError } from "../errors.js";
import { KeyedQueue } from "../jobs/keyed-queue.js";
import type { SealedVariable, Variable, VariableItems, VariableMetadata } from "../model/variable.js";
import { checkVariablePath } from "../model/variable-intake.js";
import type { Change, StateStore } from "../store/state-store.js";
import type { Keyring } from "./keyring.js";
import { seal, unseal } from "./seal.js";

export interface VariablesDeps {
  readonly store: StateStore;
  readonly keyring: Keyring;
  readonly options: {
    /** Variables of the whole host. */
    readonly maxVariables: number;
  };
}

/** Where a variable is. */
export interface VariablePlace {
  readonly namespace: string;
  readonly path: string;
}

/** What came of a write that asks for a certain ModifyIndex: of another one, what is there instead. */
export type WriteResult<T> =
  | { readonly outcome: "done"; readonly index: number; readonly value: T }
  | { readonly outcome: "conflict"; readonly found: Variable | VariableMetadata };

/** Variables: small secrets by path, encrypted on disk and in memory. Nothing else writes them. */
export class Variables {
  readonly #deps: VariablesDeps;
  readonly #writes = new KeyedQueue();

  constructor(deps: VariablesDeps) {
    this.#deps = deps;
  }

  /** @throws AllocdError `unreadable` */
  read({ namespace, path }: VariablePlace): Variable | undefined {
    const sealed = this.#deps.store.variable(namespace, path);
    return sealed && this.#opened(sealed);
  }

  /** By namespace and path. */
  list(): readonly VariableMetadata[] {
    return this.#deps.store.variables();
  }

  /**
   * @param expected the ModifyIndex that it has to have, 0 for one that is not there; undefined for any.
   * @throws InvalidField for a path that is none; AllocdError `conflict` when there are too many, `degraded`.
   */
  write({ namespace, path }: VariablePlace, items: VariableItems, expected?: number): Promise<WriteResult<Variable>> {
    checkVariablePath(path);
    const { store, keyring, options } = this.#deps;
    return this.#inTurn(async () => {
      const before = store.variable(namespace, path);
      if (expected !== undefined && (before?.ModifyIndex ?? 0) !== expected) return this.#conflict({ namespace, path }, before);
      if (!before && store.variables().length >= options.maxVariables) {
        throw new AllocdError("conflict", `variables: there are ${options.maxVariables}, which is the limit (variables.max_count)`);
      }
      const place = { Namespace: namespace, Path: path };
      const index = await store.commit([{ kind: "variable", variable: { ...place, ...seal(place, items, keyring) } }], { refusable: true });
      const written = store.variable(namespace, path);
      if (!written) throw new Error(`variable ${path} is not there after it was written`);
      return { outcome: "done", index, value: this.#opened(written) };
    });
  }

  /** A variable that is not there is deleted already. @param expected as with `write`. */
  delete({ namespace, path }: VariablePlace, expected?: number): Promise<WriteResult<null>> {
    const { store } = this.#deps;
    return this.#inTurn(async () => {
      const before = store.variable(namespace, path);
      if (expected !== undefined && (before?.ModifyIndex ?? 0) !== expected) return this.#conflict({ namespace, path }, before);
      const index = before ? await store.commit([{ kind: "variable-delete", namespace, path }], { refusable: true }) : store.index;
      return { outcome: "done", index, value: null };
    });
  }

  /** The ids of the keys, the one that encrypts first. */
  get keys(): readonly string[] {
    return this.#deps.keyring.ids;
  }

  /**
   * Encrypts with a new key from now on.
   *
   * @param all whether what there is is encrypted anew too; it keeps its items.
   * @returns the new key's id, and the index of the last change.
   * @throws KeyringError when the key can not be kept; AllocdError `unreadable`, `degraded`.
   */
  rotate(all: boolean): Promise<{ readonly keyId: string; readonly index: number }> {
    const { store, keyring } = this.#deps;
    return this.#inTurn(async () => {
      const { id } = keyring.rotate();
      const sealed = all ? store.variables() : [];
      const changes = sealed.map((variable): Change => {
        const { Namespace, Path } = variable;
        return { kind: "variable", variable: { Namespace, Path, ...seal({ Namespace, Path }, unseal(variable, keyring), keyring) } };
      });
      return { keyId: id, index: changes.length > 0 ? await store.commit(changes, { refusable: true }) : store.index };
    });
  }

  /** One after the other, so that what a write was compared with is still there when it is made. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#writes.run("variables", work);
  }

  /** Of a variable that is not there the index is 0. */
  #conflict({ namespace, path }: VariablePlace, before: SealedVariable | undefined): WriteResult<never> {
    const missing = { Namespace: namespace, Path: path, CreateIndex: 0, ModifyIndex: 0, CreateTime: 0n, ModifyTime: 0n };
    return { outcome: "conflict", found: before ? this.#opened(before) : missing };
  }

  #opened(sealed: SealedVariable): Variable {
    const { KeyID, Data, ...metadata } = sealed;
    return { ...metadata, Items: unseal(sealed, this.#deps.keyring) };
  }
}
