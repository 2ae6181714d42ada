/** What proves who is asking. */
export type Credentials =
  | { readonly type: "password"; readonly username: string; readonly password: string }
  | { readonly type: "identity-token"; readonly token: string }
  | { readonly type: "registry-token"; readonly token: string };

/**
 * Finds credentials for a registry.
 *
 * @param host - The host that the user named, such as `docker.io` or `127.0.0.1:5000`.
 * @param repository - The repository, for stores that keep credentials for parts of a registry.
 */
export type CredentialProvider = (
  host: string,
  repository?: string,
) => Promise<Credentials | undefined>;

/** The value of an `Authorization` header with a user and a password. */
export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
