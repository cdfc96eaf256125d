/** Something that is fetched for a task before it starts, in Nomad's words. */
export interface Artifact {
  readonly GetterSource: string;
  /** Parameters of the source: checksum, archive, ref, depth, sshkey, region, … */
  readonly GetterOptions: Readonly<Record<string, string>> | null;
  readonly GetterHeaders: Readonly<Record<string, string>> | null;
  readonly GetterMode: "any" | "file" | "dir";
  /** Whether the certificate of an https server is not checked. */
  readonly GetterInsecure: boolean;
  /** From the task's directory. */
  readonly RelativeDest: string;
  readonly Chown: boolean;
  readonly [member: string]: unknown;
}
