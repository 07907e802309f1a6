"use strict";
// Keeps the strip, the lanes and the listed tickets fresh. The page is complete without it.
(() => {
  const EVERY_MS = 5000;
  const main = document.getElementById("main");
  const { tenant, lane, limit } = main.dataset;
  const base = `/api/v1/tenants/${encodeURIComponent(tenant)}`;
  const live = document.getElementById("live");
  let listed = "";

  const said = (iso) => (iso ? `${new Date(iso).toISOString().slice(0, 19).replace("T", " ")} UTC` : "-");
  const words = (text) => text.replaceAll("_", " ");
  const points = (number) => number.toFixed(1);

  function put(node, text) {
    if (!node || node.textContent === text) return;
    node.textContent = text;
    node.classList.remove("fresh");
    void node.offsetWidth; // restarts the animation
    node.classList.add("fresh");
  }

  function element(tag, text, attributes = {}) {
    const node = document.createElement(tag);
    node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }

  const laneUrl = (id) => `/?tenant=${encodeURIComponent(tenant)}${id ? `&lane=${encodeURIComponent(id)}` : ""}#tickets`;

  function showBoard(board) {
    for (const node of document.querySelectorAll("[data-field]")) {
      const value = node.dataset.field.split(".").reduce((part, name) => part[name], board);
      put(node, String(value));
    }
    document.querySelector("[data-meter]").value = board.score;
    document.querySelector("[data-pressure]").dataset.pressure = board.pressure;
    for (const one of board.lanes) {
      const row = document.querySelector(`[data-lane-row="${one.id}"]`);
      if (!row) continue;
      put(row.querySelector('[data-part="text"]'), one.text);
      put(row.querySelector('[data-part="contribution"]'), points(one.contribution));
      row.querySelector('[data-part="cost"]').hidden = one.contribution === 0;
      const status = row.querySelector('[data-part="status"]');
      put(status, one.status);
      status.dataset.status = one.status;
    }
    showActions(board.next_actions);
    const hours = document.querySelector("[data-hours]");
    hours.textContent = board.open_hours
      ? "office hours"
      : "closed hours: unassigned, assignment and queued callbacks cost nothing";
    const asOf = document.getElementById("as-of");
    asOf.dateTime = board.at;
    asOf.textContent = said(board.at);
  }

  function showActions(actions) {
    const list = document.getElementById("next-actions");
    const items = actions.map((one) => {
      const item = document.createElement("li");
      const about = `${one.runs} on ${one.items} · ${one.owner} · gives back ${points(one.gives_back)}`;
      item.append(
        element("a", one.action, { href: laneUrl(one.lane) }),
        " ",
        element("span", about, { class: "muted small" }),
      );
      return item;
    });
    const plain = (nodes) => nodes.map((node) => node.textContent.replace(/\s+/g, " ").trim()).join("\n");
    if (plain([...list.children]) !== plain(items)) list.replaceChildren(...items);
    document.getElementById("recovery").href = laneUrl(actions.length ? actions[0].lane : "");
  }

  function ticketRow(one) {
    const row = element("tr", "", { role: "row", "data-ticket": one.ticket_id });
    const head = element("th", "", { role: "rowheader", scope: "row" });
    const href = `/tickets/${encodeURIComponent(one.ticket_id)}?tenant=${encodeURIComponent(tenant)}`;
    head.append(
      element("a", one.ticket_id, { href }),
      " ",
      element("span", one.subject, { class: "subject", dir: "auto" }),
    );
    if (one.halted) {
      const about = `${one.halted}. Look at it: any step but a note lets automation go on.`;
      head.append(
        " ",
        element("span", "automation halted", { class: "halted" }),
        " ",
        element("span", about, { class: "muted small" }),
      );
    }
    const cell = (label, content) => {
      const node = element("td", "", { role: "cell", "data-label": label });
      node.append(content);
      return node;
    };
    row.append(
      head,
      cell("Status", words(one.status)),
      cell("Priority", element("span", one.priority, { class: "priority", "data-priority": one.priority })),
      cell("Owner", one.owner || "unassigned"),
      cell("SLA", element("span", words(one.sla_state), { class: "sla", "data-sla": one.sla_state })),
      cell("Due", said(one.next_due_at)),
    );
    return row;
  }

  function showTickets(tickets) {
    const text = JSON.stringify(tickets);
    if (text === listed) return;
    listed = text;
    const rows = document.getElementById("ticket-rows");
    const focused = rows.contains(document.activeElement)
      ? document.activeElement.closest("[data-ticket]").dataset.ticket
      : null;
    rows.replaceChildren(...tickets.map(ticketRow));
    if (focused !== null) rows.querySelector(`[data-ticket="${CSS.escape(focused)}"] a`)?.focus();
    document.getElementById("no-tickets").hidden = tickets.length > 0;
  }

  async function read(path) {
    const answer = await fetch(base + path, { signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return answer.json();
  }

  async function refresh() {
    if (!document.hidden) {
      const query = new URLSearchParams({ limit, ...(lane && { lane }) });
      try {
        const [board, list] = await Promise.all([read("/lanes"), read(`/tickets?${query}`)]);
        showBoard(board);
        showTickets(list.tickets);
        live.textContent = "Live, as of";
      } catch {
        live.textContent = "Not connected: figures as of";
      }
    }
    setTimeout(refresh, EVERY_MS);
  }

  setTimeout(refresh, EVERY_MS);
})();
