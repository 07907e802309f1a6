-- Whether an agent has had limit_new assignments within limit_window before the instant.
create function limited(agent agents, at timestamptz) returns boolean
    language sql stable
    return coalesce(
        cardinality(agent.recent_claims) >= agent.limit_new
        and agent.recent_claims[cardinality(agent.recent_claims) - agent.limit_new + 1]
            > at - agent.limit_window,
        false);
