/** The HTTP library: what of it is used, so that it can be loaded late as one piece. */
export { Agent, buildConnector, Client, EnvHttpProxyAgent, Pool, request } from "undici";
