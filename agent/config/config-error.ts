/** A configuration that can not be used. The message is one line: the setting, what was given, what is accepted. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}
