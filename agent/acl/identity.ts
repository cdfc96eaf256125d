import type { UnixNano } from "../model/units.js";
import type { Acl } from "./acl.js";

/** Who a caller is and what it may do. */
export interface Identity {
  readonly kind: "token" | "anonymous" | "certificate" | "local";
  /** Of a token the accessor, of a certificate its name, else empty. */
  readonly accessor: string;
  /** For people. */
  readonly name: string;
  readonly acl: Acl;
  /** Null: never. */
  readonly expires: UnixNano | null;
}
