import { type CommandSpec, defineCommand, type FlagSpec } from "../command/define-command.ts";

const typeFlag: FlagSpec = {
  name: "type",
  value: "TYPE",
  summary: "what the artifact is, as a media type; must be given",
};

const annotationFlag: FlagSpec = {
  name: "annotation",
  value: "KEY=VALUE",
  summary: "a fact about the artifact (repeatable)",
  many: true,
};

const filesArgument = {
  name: "files",
  summary: "files, each PATH or PATH:MEDIA/TYPE",
  many: true,
  optional: true,
  complete: "files",
} as const;

/** Commands about registries: logins, artifacts, and a registry of one's own. */
export const registryCommands: readonly CommandSpec[] = [
  defineCommand({
    path: ["login"],
    summary: "keep user and password for a registry, after trying them there",
    description:
      "They are kept where Docker and Podman keep them: in $REGISTRY_AUTH_FILE or Docker's config.json, or by the\ncredential helper that the file names.",
    args: [{ name: "host", summary: "the registry (default: docker.io)", optional: true }],
    flags: [
      { name: "username", short: "u", value: "NAME", summary: "the user; must be given" },
      { name: "password-stdin", summary: "read the password or token from stdin; must be given" },
    ],
    examples: [
      {
        command: "box login example.com -u ann --password-stdin",
        summary: "With the password piped in",
      },
    ],
    failures: ["auth", "network", "io", "invalid-argument"],
    mutates: true,
    schemas: () => import("./login/schemas.ts"),
    action: () => import("./login/action.ts"),
  }),
  defineCommand({
    path: ["logout"],
    summary: "forget user and password for a registry",
    args: [{ name: "host", summary: "the registry (default: docker.io)", optional: true }],
    flags: [],
    examples: [{ command: "box logout example.com", summary: "One registry" }],
    failures: ["io", "invalid-argument"],
    mutates: true,
    schemas: () => import("./logout/schemas.ts"),
    action: () => import("./logout/action.ts"),
  }),
  defineCommand({
    path: ["artifact", "push"],
    summary: "push files to a registry or an image layout as one artifact",
    args: [{ name: "ref", summary: "its name, HOST/NAME:TAG or oci:DIR:TAG" }, filesArgument],
    flags: [typeFlag, annotationFlag],
    examples: [
      {
        command:
          "box artifact push 127.0.0.1:5000/model:v1 weights.bin notes.md:text/markdown --type application/vnd.example.model",
        summary: "Two files",
      },
    ],
    failures: ["not-found", "io", "network", "auth", "denied"],
    mutates: true,
    schemas: () => import("../registries/artifact-files-schema.ts"),
    action: () => import("./artifact-push/action.ts"),
  }),
  defineCommand({
    path: ["artifact", "pull"],
    summary: "write the files of an artifact into a folder, each verified",
    args: [{ name: "ref", summary: "the artifact" }],
    flags: [
      {
        name: "output",
        short: "o",
        value: "DIR",
        summary: "the folder (default: the current one)",
        complete: "directories",
      },
      { name: "overwrite", summary: "replace files that are there" },
    ],
    examples: [
      { command: "box artifact pull 127.0.0.1:5000/model:v1 -o model", summary: "Into a folder" },
    ],
    failures: ["not-found", "conflict", "corrupt", "io", "network", "auth", "denied"],
    mutates: true,
    schemas: () => import("./artifact-pull/schemas.ts"),
    action: () => import("./artifact-pull/action.ts"),
  }),
  defineCommand({
    path: ["artifact", "attach"],
    summary: "push files as an artifact about an image or another artifact",
    args: [{ name: "ref", summary: "what it is about" }, filesArgument],
    flags: [typeFlag, annotationFlag],
    examples: [
      {
        command:
          "box artifact attach 127.0.0.1:5000/app:v1 sbom.json --type application/vnd.cyclonedx+json",
        summary: "A list of parts",
      },
    ],
    failures: ["not-found", "io", "network", "auth", "denied"],
    mutates: true,
    schemas: () => import("../registries/artifact-files-schema.ts"),
    action: () => import("./artifact-attach/action.ts"),
  }),
  defineCommand({
    path: ["artifact", "discover"],
    summary: "list what is attached to an image or an artifact, and to that",
    args: [{ name: "ref", summary: "the image or artifact" }],
    flags: [{ name: "type", value: "TYPE", summary: "only artifacts of this type" }],
    examples: [{ command: "box artifact discover 127.0.0.1:5000/app:v1", summary: "Everything" }],
    failures: ["not-found", "network", "auth", "io"],
    mutates: false,
    schemas: () => import("./artifact-discover/schemas.ts"),
    action: () => import("./artifact-discover/action.ts"),
  }),
  defineCommand({
    path: ["artifact", "ls"],
    summary: "list the tags of a repository or an image layout",
    args: [{ name: "repository", summary: "HOST/NAME or oci:DIR" }],
    flags: [],
    examples: [{ command: "box artifact ls 127.0.0.1:5000/app", summary: "Its tags" }],
    failures: ["not-found", "network", "auth", "io"],
    mutates: false,
    schemas: () => import("./artifact-ls/schemas.ts"),
    action: () => import("./artifact-ls/action.ts"),
  }),
  defineCommand({
    path: ["registry", "serve"],
    summary: "serve an OCI registry, until it is told to stop",
    description:
      "Images and artifacts by the OCI distribution specification 1.1, for tests, demonstrations and networks without a\nway out. Prints the URL once it listens. Without --dir everything is in memory and gone at the end.",
    args: [],
    flags: [
      {
        name: "listen",
        value: "HOST:PORT",
        summary: "where it listens (default: 127.0.0.1:5000; port 0 takes a free one)",
      },
      {
        name: "dir",
        value: "DIR",
        summary: "folder that keeps the content",
        complete: "directories",
      },
      {
        name: "gc-every",
        value: "DURATION",
        summary: "collect garbage so often, as box registry gc does (default: never)",
      },
      {
        name: "users",
        value: "FILE",
        summary: "lines of NAME:PASSWORD, readable by you alone (default: everybody may do all)",
        complete: "files",
      },
      {
        name: "auth",
        value: "SCHEME",
        summary: "how users are asked: basic or token (default: basic)",
        choices: ["basic", "token"],
      },
      { name: "anonymous-pull", summary: "everybody may read" },
      {
        name: "tls-cert",
        value: "FILE",
        summary: "certificate in PEM, to serve https",
        complete: "files",
      },
      { name: "tls-key", value: "FILE", summary: "its key in PEM", complete: "files" },
      {
        name: "public-url",
        value: "URL",
        summary:
          "where clients get tokens when a proxy stands before it (default: the host that they ask)",
      },
    ],
    examples: [
      { command: "box registry serve --dir ./registry", summary: "On loopback" },
      {
        command:
          "box registry serve --listen 0.0.0.0:443 --dir ./registry --users users.txt --auth token --tls-cert cert.pem --tls-key key.pem",
        summary: "For a network",
      },
    ],
    failures: ["invalid-argument", "in-use", "io"],
    mutates: true,
    schemas: () => import("./registry-serve/schemas.ts"),
    action: () => import("./registry-serve/action.ts"),
  }),
  defineCommand({
    path: ["registry", "gc"],
    summary: "free the space of what nothing names in a registry's folder",
    description:
      "Deleting a manifest or a tag frees no space by itself. This removes blobs that no manifest of their repository\nnames. What came, was mounted or was asked for within the grace time stays, because a push may be about to name it.\n\nA manifest without a tag can be pulled by its digest and stays. With --untagged it goes, unless an index that stays\nlists it or it is attached to a manifest that stays. Nothing is taken from a repository with a manifest that cannot\nbe read.\n\nThe folder must not be served meanwhile: box registry serve --gc-every collects while it serves.",
    args: [],
    flags: [
      {
        name: "dir",
        value: "DIR",
        summary: "the registry's folder; must be given",
        complete: "directories",
      },
      { name: "grace", value: "AGE", summary: "the grace time (default: 1h)" },
      { name: "untagged", summary: "also remove manifests without a tag" },
      { name: "dry-run", short: "n", summary: "remove nothing, show what would go" },
    ],
    examples: [
      { command: "box registry gc --dir ./registry --dry-run", summary: "What would go" },
      {
        command: "box registry gc --dir ./registry --untagged --grace 1d",
        summary: "What has had no tag for a day, too",
      },
    ],
    failures: ["invalid-argument", "in-use", "io"],
    mutates: true,
    schemas: () => import("./registry-gc/schemas.ts"),
    action: () => import("./registry-gc/action.ts"),
  }),
];
