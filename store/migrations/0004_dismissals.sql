-- What a person gives up sending: it stays on record, and nobody is asked to look at it again.
alter table effects drop constraint effects_state_check;
alter table effects add constraint effects_state_check
    check (state in ('intended', 'sending', 'sent', 'failed', 'unknown', 'parked', 'dismissed'));
alter table effects add column dismissed_by text not null default '';
alter table effects add column dismissed_reason text not null default '';
alter table effects add column dismissed_at timestamptz;
