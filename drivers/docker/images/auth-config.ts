/** What the engine is told, by its names. */
export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  readonly email?: string;
  readonly identitytoken?: string;
  readonly serveraddress: string;
}
