/** What of the HTTP library speaks with proxies: most of it, which is why it is loaded by itself. */
export { Client, EnvHttpProxyAgent, Pool } from "undici";
