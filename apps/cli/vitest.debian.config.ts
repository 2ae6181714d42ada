import { shared } from "@box/vitest-config";
import type { ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = {
  ...shared,
  test: {
    ...shared.test,
    include: ["test/debian/**/*.test.ts"],
    globalSetup: ["test/support/build-program.ts"],
    reporters: ["default"],
  },
};
export default config;
