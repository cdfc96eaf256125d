import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { AllocdError } from "../errors.js";
import { type SealedVariable, type VariableItems, variableKey } from "../model/variable.js";
import type { Keyring } from "./keyring.js";

const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

type Place = Pick<SealedVariable, "Namespace" | "Path">;

/** Encrypts items so that they can be read nowhere but at their own place. */
export function seal({ Namespace, Path }: Place, items: VariableItems, keyring: Keyring): Pick<SealedVariable, "KeyID" | "Data"> {
  const { id, bytes } = keyring.active;
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, bytes, nonce);
  cipher.setAAD(Buffer.from(variableKey(Namespace, Path)));
  const encrypted = Buffer.concat([cipher.update(JSON.stringify(items), "utf8"), cipher.final()]);
  return { KeyID: id, Data: Buffer.concat([nonce, encrypted, cipher.getAuthTag()]).toString("base64") };
}

/** @throws AllocdError `unreadable` when the key is gone, or the data are not what was written. */
export function unseal({ Namespace, Path, KeyID, Data }: SealedVariable, keyring: Keyring): VariableItems {
  const key = keyring.find(KeyID);
  if (!key) throw new AllocdError("unreadable", `variable ${Path}: it is encrypted with key ${KeyID}, which is not in the keyring`);
  const data = Buffer.from(Data, "base64");
  try {
    const decipher = createDecipheriv(algorithm, key.bytes, data.subarray(0, nonceBytes));
    decipher.setAAD(Buffer.from(variableKey(Namespace, Path)));
    decipher.setAuthTag(data.subarray(-tagBytes));
    const text = Buffer.concat([decipher.update(data.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString("utf8");
    return JSON.parse(text) as VariableItems;
  } catch (error) {
    throw new AllocdError("unreadable", `variable ${Path}: it can not be decrypted with key ${KeyID}`, { cause: error });
  }
}
