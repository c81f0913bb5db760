"use strict";

const trouble = document.getElementById("trouble");
const signIn = document.getElementById("sign-in");
const change = document.getElementById("change");
let password = "";

/** Where to go on: a path of this server, never another site. */
function goOn() {
  const next = new URLSearchParams(location.search).get("next") || "/";
  const target = new URL(next, location.origin);
  location.replace(target.origin === location.origin ? target.href : "/");
}

async function post(path, body) {
  trouble.textContent = "";
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (answer.ok) return answer;
  trouble.textContent = (await answer.json()).detail;
  return null;
}

function askForChange() {
  signIn.hidden = true;
  change.hidden = false;
}

signIn.addEventListener("submit", async (event) => {
  event.preventDefault();
  password = signIn.elements.password.value;
  const answer = await post("/api/auth/login", { username: signIn.elements.username.value, password });
  if (!answer) return;
  if ((await answer.json()).mustChangePassword) askForChange();
  else goOn();
});

change.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = { currentPassword: password, newPassword: change.elements.new.value };
  if (await post("/api/auth/password", body)) goOn();
});

// A link from elsewhere comes without the cookie; a request from here has it.
fetch("/api/auth/me").then(async (answer) => {
  if (answer.ok && !(await answer.json()).mustChangePassword) goOn();
});
