-- What a shadow showed is kept for a time only (activities/tidying.py): by age, whosever it is.
create index shadow_comparisons_age on shadow_comparisons (compared_at);
