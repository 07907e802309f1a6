-- Ids of tickets and agents sort as in 0009 in every table. Where only one side of a join did, the
-- join could not use the other's index: shifts were read through for each agent of a claim, and
-- the messages of all tickets for a list. A loop, so that no table is forgotten.
do $$
declare
    one record;
begin
    for one in
        select c.oid::regclass as named, a.attname
          from pg_attribute as a
          join pg_class as c on c.oid = a.attrelid and c.relkind = 'r'
                            and c.relnamespace = current_schema()::regnamespace
          join pg_collation as l on l.oid = a.attcollation and l.collname <> 'C'
         where a.attname in ('ticket_id', 'agent_id') and not a.attisdropped
         order by 1, 2
    loop
        execute format('alter table %s alter column %I type text collate "C"',
                       one.named, one.attname);
    end loop;
end $$;

-- Who could own a ticket of a team. Without idle_since a claim changes no index: who is found is
-- sorted by load first.
drop index agents_online;
create index agents_online on agents (tenant, role, team) where presence = 'online';

-- What waiting tickets ask for, each once: a hand-out steps from one to the next. By a hash of the
-- skills, of which there may be more than fit into an index.
create index tickets_needs on tickets
    (tenant, team, hash_array_extended(skills, 0), (channel = 'chat'))
 where waits_since is not null;

-- Few wait for another team than their own as well.
create index tickets_sought on tickets (tenant)
 where waits_since is not null and sought_teams <> '{}';
