-- The stop switch of automation: while a tenant's is on, rules decide but nothing is done.
create table automation (
    tenant      text        not null primary key,
    stopped     boolean     not null,
    reason      text        not null default '',
    changed_by  text        not null,
    changed_at  timestamptz not null default now()
);
