import { homedir } from "node:os";
import { join } from "node:path";
import type { CredentialProvider } from "@box/oras";

type Env = Readonly<Record<string, string | undefined>>;

/** The files in which Docker and Podman keep credentials for registries, the first that applies first. */
export function credentialFiles(env: Env): readonly string[] {
  const { REGISTRY_AUTH_FILE, DOCKER_CONFIG, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, HOME } = env;
  const user = HOME || homedir();
  return [
    ...(REGISTRY_AUTH_FILE ? [REGISTRY_AUTH_FILE] : []),
    join(DOCKER_CONFIG || join(user, ".docker"), "config.json"),
    ...(XDG_RUNTIME_DIR ? [join(XDG_RUNTIME_DIR, "containers", "auth.json")] : []),
    join(XDG_CONFIG_HOME || join(user, ".config"), "containers", "auth.json"),
  ];
}

/** Finds credentials for registries where Docker and Podman keep them. Nothing is read before a registry asks. */
export function userCredentials(env: Env): CredentialProvider {
  return async (host, repository) => {
    const { dockerCredentials } = await import("@box/oras");
    return dockerCredentials(credentialFiles(env))(host, repository);
  };
}
