/** One step of the database's form. A step that was released is never changed. */
export interface Migration {
  /** The value of `user_version` after the step. */
  readonly version: number;
  readonly name: string;
  readonly up: string;
  /** How an operator goes back by hand, in words and SQL. Kept in the database itself, where an older allocd's operator finds it. */
  readonly down: string;
}
