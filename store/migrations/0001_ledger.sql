-- The ledger. Every row has its tenant; every instant is timestamptz; ids are references.
-- Personal data (names, addresses, text) is in customers, agents and messages, and nowhere else.

create table customers (
    tenant       text        not null,
    customer_id  text        not null,
    name         text        not null default '',
    email        text        not null default '',
    locale       text        not null default 'en',
    created_at   timestamptz not null default now(),
    primary key (tenant, customer_id)
);

create table agents (
    tenant          text          not null,
    agent_id        text          not null,
    name            text          not null default '',
    email           text          not null default '',
    team            text          not null default '',
    role            text          not null default 'agent'
                    check (role in ('agent', 'lead', 'manager', 'on_call')),
    skills          text[]        not null default '{}',
    presence        text          not null default 'offline'
                    check (presence in ('online', 'away', 'offline')),
    capacity_units  numeric(6, 1) not null default 12 check (capacity_units >= 0),
    load_units      numeric(8, 1) not null default 0 check (load_units >= 0),
    idle_since      timestamptz   not null default now(),
    presence_since  timestamptz   not null default now(),
    primary key (tenant, agent_id)
);
-- Candidates of a claim: who is online, longest idle first.
create index agents_online on agents (tenant, idle_since) where presence = 'online';

create table tickets (
    tenant            text        not null,
    ticket_id         text        not null,
    run_id            text        not null,
    channel           text        not null,
    priority          text        not null,
    status            text        not null,
    team              text        not null,
    customer_id       text        not null,
    opening_ref       text        not null,
    follow_up_of      text        not null default '',
    created_at        timestamptz not null,
    changed_at        timestamptz not null,
    resolved_at       timestamptz,
    closed_at         timestamptz,
    active            boolean     not null,
    breached          boolean     not null,
    breached_held     boolean     not null,
    escalation_due    boolean     not null,
    sla_state         text        not null,
    next_due_at       timestamptz,
    next_deadline     timestamptz,
    next_deadline_is  text        not null default '',
    decision_seq      bigint      not null,
    pack_version      text        not null default '',
    state             jsonb       not null,
    primary key (tenant, ticket_id)
);
-- Queues sort overdue first, then by due, then by age: the lists and the lane counts read this.
create index tickets_follow_up on tickets (tenant, follow_up_of) where active and follow_up_of <> '';
create index tickets_active on tickets (tenant, next_due_at, created_at) where active;

-- What cannot be decided, until it is: also of a ticket that does not exist yet.
create table parkings (
    tenant      text        not null,
    ticket_id   text        not null,
    trigger_id  text        not null,
    error       text        not null,
    parked_at   timestamptz not null default now(),
    primary key (tenant, ticket_id, trigger_id)
);

-- The claim row is the truth of ownership, changed only by decide.
create table claims (
    tenant        text          not null,
    ticket_id     text          not null,
    agent_id      text          not null,
    units         numeric(4, 1) not null,
    excess        boolean       not null default false,
    locked_until  timestamptz,
    claimed_at    timestamptz   not null,
    decision_seq  bigint        not null,
    primary key (tenant, ticket_id),
    foreign key (tenant, ticket_id) references tickets deferrable initially deferred,
    foreign key (tenant, agent_id) references agents
);
create index claims_agent on claims (tenant, agent_id);

create table messages (
    tenant       text        not null,
    ticket_id    text        not null,
    message_ref  text        not null,
    kind         text        not null,
    subject      text        not null default '',
    body         text        not null default '',
    author_kind  text        not null,
    author_id    text        not null,
    created_at   timestamptz not null,
    delivery     text        not null default 'none'
                 check (delivery in ('none', 'queued', 'sent', 'failed', 'unknown', 'parked')),
    primary key (tenant, ticket_id, message_ref)
);

-- What happened, each event once per ticket, with the result that a repeat gets again.
create table events (
    tenant        text        not null,
    ticket_id     text        not null,
    event_id      text        not null,
    kind          text        not null,
    outcome       text        not null check (outcome in ('accepted', 'refused')),
    decision_seq  bigint,
    actor_kind    text        not null,
    actor_id      text        not null,
    actor_role    text        not null default '',
    on_behalf_of  text        not null default '',
    source        text        not null,
    message_ref   text        not null default '',
    occurred_at   timestamptz not null,
    received_at   timestamptz not null,
    nominal_at    timestamptz not null,
    event         jsonb       not null,
    result        jsonb       not null,
    primary key (tenant, ticket_id, event_id)
);
create index events_in_order on events (tenant, ticket_id, decision_seq);

create table packs (
    version    text        not null primary key,
    name       text        not null,
    body       text        not null,
    first_used timestamptz not null default now()
);

create table policy_books (
    version    text        not null primary key,
    body       text        not null,
    first_used timestamptz not null default now()
);

-- One evaluation each: inputs, what fired, why the rest did not, and what came of it.
create table decisions (
    workflow_id     text        not null,
    decision_seq    bigint      not null,
    tenant          text        not null,
    ticket_id       text        not null,
    run_id          text        not null,
    trigger_id      text        not null,
    trigger         text        not null,
    nominal_at      timestamptz not null,
    decided_at      timestamptz not null default clock_timestamp(),
    lateness_s      double precision not null,
    pack_name       text        not null,
    pack_version    text        not null,
    policy_version  text        not null,
    inputs          jsonb       not null,
    fired           jsonb       not null,
    trace           jsonb       not null,
    actions         jsonb       not null,
    clocks          jsonb       not null,
    digest          text        not null,
    result          jsonb       not null,
    primary key (workflow_id, decision_seq)
);
create index decisions_of_ticket on decisions (tenant, ticket_id, decision_seq);
create index decisions_recent on decisions (tenant, decided_at);

-- What is to be done in the outside world: the intent is recorded before anything is sent.
create table effects (
    action_key   text        not null primary key,
    tenant       text        not null,
    ticket_id    text        not null,
    kind         text        not null check (kind in ('notify', 'reply')),
    params       jsonb       not null,
    state        text        not null default 'intended'
                 check (state in ('intended', 'sending', 'sent', 'failed', 'unknown', 'parked')),
    attempts     integer     not null default 0,
    last_error   text        not null default '',
    created_at   timestamptz not null,
    changed_at   timestamptz not null default now()
);
create index effects_of_ticket on effects (tenant, ticket_id, created_at);
create index effects_parked on effects (tenant, changed_at) where state in ('parked', 'failed', 'unknown');

-- A breach that happened stays.
create table breaches (
    tenant         text        not null,
    ticket_id      text        not null,
    metric         text        not null,
    cycle          integer     not null,
    due_at         timestamptz not null,
    cause          text        not null,
    decision_seq   bigint      not null,
    primary key (tenant, ticket_id, metric, cycle, due_at)
);

create table escalations (
    tenant        text             not null,
    ticket_id     text             not null,
    decision_seq  bigint           not null,
    metric        text             not null,
    cycle         integer          not null,
    fraction      double precision not null,
    due_at        timestamptz      not null,
    lateness_s    double precision not null,
    primary key (tenant, ticket_id, decision_seq, metric, cycle, fraction)
);
