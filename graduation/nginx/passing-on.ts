// How a request and its response pass, whatever the table says: which fields the router owns, which stop here, how long nginx waits,
// and what becomes of them in the log.

/** What is read from a request, whatever the table says. */
export const requestMaps = [
  // HTTP trims tabs too, nginx only spaces.
  String.raw`map $http_x_routing_key $routing_key { default ""; "~^[ \t]*(?<trimmed_key>[^ \t](?:.*[^ \t])?)[ \t]*\z" $trimmed_key; }`,
  String.raw`map $http_x_request_id $safe_request_id { default $request_id; "~^[A-Za-z0-9._-]{1,128}\z" $http_x_request_id; }`,
  // In absolute form the target's authority is the host, whatever the field says.
  'map $request $asked_host { default $http_host; "~^[^ ]+ http://(?<authority>[^/?# ]+)" $authority; }',
  'map $server_protocol $received_by { default "1.1 cell-router"; "HTTP/1.0" "1.0 cell-router"; }',
  // https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2: a host and a port, and nothing else.
  String.raw`map $asked_host $host_fault { default ""; "~[^-._~%!$&'()*+;=:\[\]0-9A-Za-z]" malformed-request; }`,
  'map $key_fault $request_fault { default $key_fault; "" $host_fault; }',
  'map "$server_protocol $http_expect" $expectation_fault { default 1; "~*^http/[^ ]+ (100-continue)?$" ""; "~^HTTP/1.0" ""; }',
  // nginx repeats every method but POST, PATCH and LOCK, and a small body too. This router: see retry-policy.ts of m4.
  String.raw`map "$request_method $content_length$http_transfer_encoding" $sent_once { default 1; "~^(GET|HEAD|OPTIONS|PUT|DELETE) 0?\z" ""; "~^(POST|PATCH) " ""; }`,
  'map $http_via $via { default "$http_via, $received_by"; "" $received_by; }',
];

/** What became of a request. The variables exist only once a cell has answered, so nothing may read them earlier. */
export const outcomeMaps = [
  // Nobody has routed what was refused for its key.
  'map $request_fault $told_placement { default ""; "" $served_by; }',
  'map $request_fault $told_reason { default ""; "" $route_reason; }',
  String.raw`map "$served_by $placement" $failover_from { default $placement; "~^(?<same_placement>[^ ]+) \k<same_placement>\z" ""; }`,
  // With one address, the first one was not even tried.
  String.raw`map "$failover_from $upstream_addr" $failover_reason { default connect-failed; "~^ " ""; "~^[^ ]+ [^ ,]+\z" circuit-open; }`,
  String.raw`map $upstream_addr $retry_count { default ""; "~^(?<tried>[^ ,]+), \k<tried>, \k<tried>(,|\z)" 2; "~^(?<tried_once>[^ ,]+), \k<tried_once>(,|\z)" 1; }`,
  String.raw`map $request_time $duration_ms { default 0; "~^0\.0*(?<milliseconds>[1-9]\d*)\z" $milliseconds; "~^(?<seconds>[1-9]\d*)\.(?<rest>\d+)\z" $seconds$rest; }`,
  // Of a response that was cut, nginx does not say which side cut it.
  String.raw`map "$status $request_completion" $outcome { default cut; "~ OK\z" complete; "~^499" client-aborted; "~^50[24]" upstream-failed; }`,
];

/** Fields of one connection, and fields that this hop writes: an empty value removes the client's own. */
const strippedUpstream = [
  "Keep-Alive",
  "Proxy-Connection",
  "TE",
  "Upgrade",
  "Expect",
  "HTTP2-Settings",
  "Proxy-Authenticate",
  "Proxy-Authorization",
  "X-Routed-To",
  "X-Route-Reason",
  // To a cell that reads CGI's names, X_Routing_Key is the same field.
  ...["X-Routing-Key", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"].flatMap(
    lookAlikes,
  ),
  ...["X-Routed-To", "X-Route-Reason"].flatMap(lookAlikes),
];

/** Every spelling of a name with an underscore for at least one of its dashes. */
function lookAlikes(name: string): string[] {
  const spellings = name
    .split("-")
    .reduce<string[]>((begun, word) => begun.flatMap((each) => [`${each}-${word}`, `${each}_${word}`]), [""])
    .map((each) => each.slice(1));
  return [...new Set(spellings)].filter((each) => each !== name);
}

/** Fields by which a cell could steer nginx itself. They pass to the client as any other. */
const steering = ["Redirect", "Expires", "Limit-Rate", "Buffering", "Charset"].map(
  (name) => `X-Accel-${name}`,
);

const owned = [
  "X-Request-Id",
  "X-Routed-To",
  "X-Route-Reason",
  "X-Failover-From",
  "X-Failover-Reason",
  "X-Retry-Count",
];

/** For the `server` block. */
export const proxyLines = [
  "proxy_http_version 1.1;",
  'proxy_set_header Connection "";',
  "proxy_set_header Host $cell_authority;",
  "proxy_set_header X-Routing-Key $routing_key;",
  "proxy_set_header X-Request-Id $safe_request_id;",
  "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
  "proxy_set_header X-Forwarded-Proto http;",
  "proxy_set_header X-Forwarded-Host $asked_host;",
  "proxy_set_header Via $via;",
  ...strippedUpstream.map((name) => `proxy_set_header ${name} "";`),
  ...owned.map((name) => `proxy_hide_header ${name};`),
  ...steering.map((name) => `proxy_pass_header ${name};`),
  `proxy_ignore_headers ${steering.join(" ")};`,
  // nginx would otherwise replace both by its own.
  "proxy_pass_header Date;",
  "proxy_pass_header Server;",
  "proxy_redirect off;",
  "proxy_request_buffering off;",
  "proxy_buffering off;",
  "proxy_max_temp_file_size 0;",
  "proxy_buffer_size 32k;",
  "proxy_buffers 4 32k;",
  "proxy_connect_timeout 5s;",
  // One timer for the response's head, which m1 gives 10 s, and for a silent body, which it gives 30 s.
  "proxy_read_timeout 30s;",
  "proxy_send_timeout 75s;",
  // Idempotent methods only, unless nothing was sent; how often depends on how many servers the group lists.
  "proxy_next_upstream error timeout invalid_header http_502 http_503 http_504;",
  "proxy_next_upstream_timeout 10s;",
  "proxy_socket_keepalive on;",
];
