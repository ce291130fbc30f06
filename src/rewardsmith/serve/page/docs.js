"use strict";
function element(name, text, parent) {
  const made = document.createElement(name);
  made.textContent = text;
  parent.append(made);
  return made;
}

function resolved(schema, document, depth = 0) {
  if (!schema || typeof schema !== "object" || depth > 6) return schema;
  if (schema.$ref) return resolved(document.components.schemas[schema.$ref.split("/").pop()], document, depth + 1);
  if (Array.isArray(schema)) return schema.map((one) => resolved(one, document, depth + 1));
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, resolved(value, document, depth + 1)]));
}

function content(parent, title, described, document) {
  const [kind, value] = Object.entries(described.content || {})[0] || [];
  if (!kind) return;
  const details = element("details", "", parent);
  element("summary", `${title}: ${kind}`, details);
  element("pre", JSON.stringify(resolved(value.schema, document), null, 1), details);
}

async function start() {
  const spec = await (await fetch("openapi.json")).json();
  const place = document.getElementById("routes");
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const route = element("section", "", place);
      element("h2", `${method.toUpperCase()} ${path}`, route);
      if (operation.summary) element("p", operation.summary, route);
      if (operation.requestBody) content(route, "request", operation.requestBody, spec);
      for (const [status, answer] of Object.entries(operation.responses)) content(route, status, answer, spec);
    }
  }
}

start();
