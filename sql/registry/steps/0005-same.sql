-- What is the same as something else is found.

create index story_node on @registry@.story (sha256);
