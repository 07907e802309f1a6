-- The related rows (candidates, lanes, customer) that a decision's rules were asked with.
alter table decisions add column related jsonb not null default '{}';

-- How a customer stands, for rules that join a ticket with its customer.
create index tickets_of_customer on tickets (tenant, customer_id) where customer_id <> '';
