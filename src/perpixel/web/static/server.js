// Requests to the server; what it refuses becomes an Error with its sentence.

/** The answer's response; throws an Error with `status` where it is not a good one. */
export async function ask(path, options = {}) {
  const response = await fetch(path, options);
  if (response.ok) return response;
  let message = `${response.status}`;
  try {
    message = (await response.json()).error ?? message;
  } catch {
    // an answer that is no JSON has no sentence to show
  }
  throw Object.assign(new Error(message), { status: response.status });
}

/** The answer as an object. */
export async function askJson(path, options = {}) {
  return (await ask(path, options)).json();
}

/** Send an object as JSON. */
export function post(path, body = {}, headers = {}) {
  const type = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers: { ...type, ...headers }, body: JSON.stringify(body) });
}
