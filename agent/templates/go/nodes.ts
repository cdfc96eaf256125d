/*
 * The tree of a parsed template. `at` is an offset in the source, `source` the text a node was read from, for errors.
 */

interface Place {
  readonly at: number;
  readonly source: string;
}

export type Operand =
  | (Place & { readonly kind: "dot" })
  | (Place & { readonly kind: "nil" })
  | (Place & { readonly kind: "bool"; readonly value: boolean })
  | (Place & { readonly kind: "number"; readonly value: bigint | number })
  | (Place & { readonly kind: "string"; readonly value: string })
  /** A function by its name. */
  | (Place & { readonly kind: "identifier"; readonly name: string })
  /** `.a.b` */
  | (Place & { readonly kind: "field"; readonly names: readonly string[] })
  /** `$x.a.b`; the name is with its dollar sign. */
  | (Place & { readonly kind: "variable"; readonly name: string; readonly names: readonly string[] })
  /** `(pipeline).a.b` */
  | (Place & { readonly kind: "chain"; readonly of: Operand; readonly names: readonly string[] })
  | (Place & { readonly kind: "pipe"; readonly pipe: Pipe });

export interface Command extends Place {
  readonly operands: readonly Operand[];
}

export interface Pipe extends Place {
  /** Variables that it declares or, with `assigns`, sets. */
  readonly variables: readonly string[];
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

export type Node =
  | (Place & { readonly kind: "text"; readonly text: string })
  | (Place & { readonly kind: "action"; readonly pipe: Pipe })
  | (Place & {
      readonly kind: "if" | "with" | "range";
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    })
  | (Place & { readonly kind: "template"; readonly name: string; readonly pipe: Pipe | null })
  | (Place & { readonly kind: "break" | "continue" });

/** A template with the templates that it defines. */
export interface Template {
  readonly root: readonly Node[];
  readonly defined: ReadonlyMap<string, readonly Node[]>;
  /** All of it, for the line of an error. */
  readonly source: string;
}
