// The audits of the GraphQL-over-HTTP specification that come with npm's graphql-http.
import { serverAudits } from "graphql-http";

import { credentials, print, url } from "./client.mjs";

function fetchFn(address, init = {}) {
  return fetch(address, { ...init, headers: { ...credentials, ...Object.fromEntries(new Headers(init.headers)) } });
}

const results = [];
for (const audit of serverAudits({ url, fetchFn })) {
  const { status, reason } = await audit.fn();
  results.push({ id: audit.id, name: audit.name, status, reason: reason ?? null });
}
print(results);
