/* Passkeys: the browser signs the challenge of the page, the form carries the answer. Without scripts the form stays hidden. */
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const known = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

const create = async (options) => {
  const made = await navigator.credentials.create({ publicKey: {
    ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) }, excludeCredentials: known(options.excludeCredentials),
  } });
  return { made, response: { attestationObject: text(made.response.attestationObject) } };
};

const sign = async (options) => {
  const made = await navigator.credentials.get({ publicKey: {
    ...options, challenge: bytes(options.challenge), allowCredentials: known(options.allowCredentials),
  } });
  return { made, response: { authenticatorData: text(made.response.authenticatorData), signature: text(made.response.signature) } };
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    if (form.elements.answer.value) return;
    event.preventDefault();
    event.stopPropagation(); /* Not sent yet: another press may begin again. */
    const options = JSON.parse(form.dataset.passkey);
    try {
      const { made, response } = await (options.user ? create(options) : sign(options));
      response.clientDataJSON = text(made.response.clientDataJSON);
      form.elements.answer.value = JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response });
      form.requestSubmit();
    } catch {
      form.querySelector("[data-passkey-failed]").hidden = false;
    }
  });
}
