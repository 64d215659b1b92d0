// Where webhooks come from.

import { activity, long, time } from "../parts.js";
import { list } from "../table.js";
import { code, go } from "../words.js";

const columns = [
  ["State", (row) => activity(row)],
  ["Name", (row) => go(long(row.name), ["sources", row.name])],
  ["Host", (row) => row.host],
  ["Address", (row) => code(`/webhooks/${row.name}`)],
  ["Allowed from", (row) => (row.allow.length ? row.allow.join(", ") : "anywhere")],
  ["Webhooks / s", (row) => row.rate_per_second ?? "any", "number"],
  ["Secrets", (row) => row.secrets.length, "number"],
  ["Created", (row) => time(row.created_at), "less"],
];

const empty = "No sources here. Create one with: hooklog source create NAME --secret-file FILE";

export const sources = {
  title: () => "Sources",
  show: (page) => list(page, { path: "/sources", caption: "Sources by name", columns, empty }),
};
