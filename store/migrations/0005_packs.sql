-- What a tenant decides by: its publications of rule packs, in one sequence of its own. Rows are
-- added; afterwards only the answer to a proposal and the parking of a pack are written into them.
create table pack_publications (
    tenant           text        not null,
    number           integer     not null check (number > 0),
    kind             text        not null
                     check (kind in ('publish', 'rollback', 'shadow', 'unshadow', 'require', 'waive')),
    version          text        references packs,  -- null: no pack, or the one of the worker's settings
    base_number      integer,                       -- what was active when it was made
    base_version     text,
    brings_back      integer,                       -- rollback: what counts again; 0: the worker's
    author           text        not null,
    reason           text        not null,
    made_at          timestamptz not null default clock_timestamp(),
    status           text        not null check (status in ('proposed', 'rejected', 'done')),
    answered_by      text        not null default '',
    answered_reason  text        not null default '',
    answered_at      timestamptz,
    parked_at        timestamptz,
    parked_error     text        not null default '',
    primary key (tenant, number)
);
-- What counted before another one: rollback and parking look for it.
create index pack_publications_done on pack_publications (tenant, number)
    where status = 'done' and kind in ('publish', 'rollback');

-- The one row that every decision of the tenant reads; whoever publishes locks it.
create table active_packs (
    tenant             text        not null primary key,
    last_number        integer     not null default 0,
    number             integer,
    version            text        references packs,
    shadow_number      integer,
    shadow_version     text        references packs,
    approval_required  boolean     not null default false,
    changed_at         timestamptz not null default clock_timestamp()
);

-- Each decision that a shadow was asked about too; what both said only where they differ.
create table shadow_comparisons (
    tenant          text        not null,
    shadow_number   integer     not null,
    workflow_id     text        not null,
    decision_seq    bigint      not null,
    ticket_id       text        not null,
    trigger         text        not null,
    active_version  text        not null,
    differs         boolean     not null,
    rules           text[]      not null default '{}',
    active          jsonb,
    shadow          jsonb,
    compared_at     timestamptz not null default clock_timestamp(),
    primary key (tenant, shadow_number, workflow_id, decision_seq)
);
create index shadow_differences on shadow_comparisons (tenant, shadow_number, compared_at) where differs;

-- Each time an engine had to be replaced: it crashed, hung, or disagreed with the reference.
create table engine_faults (
    id       bigint      generated always as identity primary key,
    tenant   text        not null,
    version  text        not null,
    name     text        not null,
    kind     text        not null check (kind in ('disagreement', 'crash', 'hang')),
    reason   text        not null,
    at       timestamptz not null default clock_timestamp()
);
create index engine_faults_recent on engine_faults (at);
