-- Who is on call in turns. first_handover is local wall time in tz, when the first member's turn
-- begins; team is empty for a rota of the whole tenant.
create table rotas (
    tenant          text       not null,
    rota_id         text       not null,
    team            text       not null,
    tz              text       not null,
    members         text[]     not null check (cardinality(members) between 1 and 100),
    first_handover  timestamp  not null,
    days            integer    not null check (days between 1 and 366),
    primary key (tenant, rota_id)
);

-- Who takes over from instant to instant; the one with the highest number counts.
create table rota_swaps (
    tenant     text        not null,
    rota_id    text        not null,
    swap_id    bigint      generated always as identity,
    agent_id   text        not null,
    starts_at  timestamptz not null,
    ends_at    timestamptz not null,
    primary key (tenant, rota_id, swap_id),
    foreign key (tenant, rota_id) references rotas on delete cascade,
    check (ends_at > starts_at)
);
