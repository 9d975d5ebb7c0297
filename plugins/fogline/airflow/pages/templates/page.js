"use strict";
(() => {
  // In a frame of Airflow's own page what leads to Airflow would open there, Airflow within Airflow: the page around it goes there
  // instead. The sandbox of the frame lets no script of the frame do that, so a link of the page around is followed.
  if (window.parent !== window) {
    for (const link of document.querySelectorAll("a[data-round]")) link.search = "?tab=true";
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-airflow]");
      if (!link) return;
      event.preventDefault();
      const around = window.parent.document.createElement("a");
      around.href = link.href;
      window.parent.document.body.append(around);
      around.click();
      around.remove();
    });
  }

  const POLL_MS = 2000;
  const ENDED = ["success", "failed"];

  // Airflow takes the browser's login from its cookie, and no body but JSON. Another site's page can send that cookie at most with a
  // form's content type; asking for JSON makes its browser ask Airflow first, which refuses.
  async function ask(api, method, path, body) {
    const headers = { "Content-Type": "application/json", Accept: "application/json" };
    let answer;
    try {
      answer = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
    } catch {
      throw new Error("Airflow does not answer; try again in a moment.");
    }
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(sentence(answer.status, said.detail));
    return said;
  }

  function sentence(status, detail) {
    if (status === 401) return "Your login is over: log in to Airflow again, then load this page again.";
    if (status === 403) return "Airflow does not let you do this: you lack the right to start this DAG.";
    const said = Array.isArray(detail) ? detail.map((one) => one.msg).join("; ") : detail;
    return `Airflow refused (${status}): ${typeof said === "string" ? said : "it gave no reason"}`;
  }

  function conf(form) {
    const found = {};
    for (const field of form.querySelectorAll("[data-kind]")) {
      const { name, value, dataset } = field;
      if (dataset.kind === "items") (found[name] ??= []).push(...(field.checked ? [value] : []));
      else if (dataset.kind === "lines") found[name] = value.split("\n").map((line) => line.trim()).filter(Boolean);
      else found[name] = value.trim() || (dataset.kind === "text-or-null" ? null : "");
    }
    return found;
  }

  function agreed(form, said) {
    const question = form.dataset.question;
    if (!question) return Promise.resolve(true);
    const dialog = document.getElementById("question");
    const yes = dialog.querySelector("[value=yes]");
    document.getElementById("asked").textContent = question.replace(/\{(\w+)\}/g, (_, name) => said[name]);
    yes.textContent = form.querySelector("[type=submit]").textContent;
    return new Promise((settle) => {
      dialog.onclose = () => settle(dialog.returnValue === "yes");
      for (const button of dialog.querySelectorAll("button")) button.onclick = () => dialog.close(button.value);
      dialog.returnValue = "no";
      dialog.showModal();
    });
  }

  function link(text, ...parts) {
    const found = document.createElement("a");
    found.href = parts.map(encodeURIComponent).join("/");
    found.textContent = text;
    found.dataset.airflow = "";
    return found;
  }

  async function follow(form, run, status) {
    const { api, dag, dags, task } = form.dataset;
    const path = `/dags/${encodeURIComponent(dag)}/dagRuns/${encodeURIComponent(run)}`;
    const to = link(run, dag, "runs", run);
    const log = link("its log", dag, "runs", run, "tasks", task);
    for (const one of [to, log]) one.href = dags + one.getAttribute("href");
    for (;;) {
      const { state } = await ask(api, "GET", path);
      if (status.dataset.state !== state) status.replaceChildren("Run ", to, `: ${state}; `, log, " tells more.");
      status.dataset.state = state;
      if (ENDED.includes(state)) return;
      await new Promise((settle) => setTimeout(settle, POLL_MS));
    }
  }

  async function start(form) {
    const { api, dag } = form.dataset;
    const status = form.querySelector("[role=status]");
    const said = conf(form);
    if (!(await agreed(form, said))) return;
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    delete status.dataset.state;
    status.textContent = "Asking Airflow …";
    try {
      const path = `/dags/${encodeURIComponent(dag)}`;
      if (form.querySelector("[data-unpause]")?.checked) await ask(api, "PATCH", path, { is_paused: false });
      const run = await ask(api, "POST", `${path}/dagRuns`, { logical_date: null, conf: said });
      button.disabled = false;
      await follow(form, run.dag_run_id, status);
    } catch (error) {
      status.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  }

  for (const form of document.querySelectorAll("form[data-dag]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      start(form);
    });
  }
})();
