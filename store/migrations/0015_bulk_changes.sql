-- Many tickets changing hands for one reason: planned at once, then decided ticket by ticket.
-- Jain index and most loaded share are of the agents at work: before, and once all is decided.
-- kept: tickets that stay though there was reason to move them, with why. Each change opens a
-- review, which reviewed_at closes. The reason and the note are people's texts.
create table bulk_changes (
    tenant              text             not null,
    change_id           text             not null,
    kind                text             not null check (kind in ('balance', 'undo', 'offboard')),
    team                text             not null default '',
    agent               text             not null default '',
    actor_kind          text             not null,
    actor               text             not null,
    reason              text             not null,
    undoes              text             not null default '',
    state               text             not null default 'running'
                        check (state in ('running', 'done')),
    created_at          timestamptz      not null default now(),
    done_at             timestamptz,
    kept                jsonb            not null default '[]',
    jain_before         double precision not null,
    most_loaded_before  double precision not null,
    jain_after          double precision,
    most_loaded_after   double precision,
    reviewed_at         timestamptz,
    reviewed_by         text             not null default '',
    note                text             not null default '',
    primary key (tenant, change_id)
);
create unique index bulk_changes_running on bulk_changes (tenant)
 where kind = 'balance' and state = 'running';
create index bulk_changes_latest on bulk_changes (tenant, created_at desc);

-- after_owner is what is planned, and once decided who has the ticket then (empty: nobody);
-- decided_since since when. expected_since: since when before_owner had it, null: not known.
-- owner_left: before_owner has left for good, so no owner lock holds the ticket.
create table bulk_moves (
    tenant          text        not null,
    change_id       text        not null,
    ticket_id       text        not null,
    before_owner    text        not null,
    after_owner     text        not null,
    expected_since  timestamptz,
    owner_left      boolean     not null default false,
    why             text        not null,
    outcome         text        not null default 'pending'
                    check (outcome in ('pending', 'moved', 'skipped', 'failed')),
    said            text        not null default '',
    decision_seq    bigint,
    decided_since   timestamptz,
    decided_at      timestamptz,
    primary key (tenant, change_id, ticket_id),
    foreign key (tenant, change_id) references bulk_changes
);
create index bulk_moves_pending on bulk_moves (tenant, change_id, ticket_id)
 where outcome = 'pending';
