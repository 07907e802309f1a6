-- What a shadow showed is kept for a time only (activities/tidying.py): by age, whosever it is.
create index shadow_comparisons_age on shadow_comparisons (compared_at);

-- Parked packs are looked for by every page of the hub.
create index pack_publications_parked on pack_publications (tenant, number)
    where parked_at is not null;
