BEGIN TRANSACTION;
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "about" VALUES('identity','0c1984dc-3c47-4bc7-8af8-fa28e84f24d9');
INSERT INTO "about" VALUES('room','lobby');
CREATE TABLE members (
    member TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    secret BLOB,
    delivered INTEGER NOT NULL,
    read INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "members" VALUES('ana','ANA',NULL,11,8);
INSERT INTO "members" VALUES('igor','Igor',NULL,9,4);
INSERT INTO "members" VALUES('zoë','Zoë',NULL,11,11);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    sender TEXT NOT NULL,
    text TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT
);
INSERT INTO "messages" VALUES(1,'Ana','Ana joined',1764000000000001,'system',NULL);
INSERT INTO "messages" VALUES(2,'Ana','olá ⏎ 😀',1764000000000002,'chat','c1-1');
INSERT INTO "messages" VALUES(3,'Igor','Igor joined',1764000000000003,'system',NULL);
INSERT INTO "messages" VALUES(4,'Igor','line
line',1764000000000004,'chat',NULL);
INSERT INTO "messages" VALUES(5,'Ana','Ana left',1764000000000005,'system',NULL);
INSERT INTO "messages" VALUES(6,'Zoë','Zoë joined',1764000000000006,'system',NULL);
INSERT INTO "messages" VALUES(7,'ANA','ANA joined',1764000000000007,'system',NULL);
INSERT INTO "messages" VALUES(8,'ANA','again, spelled anew',1764000000000008,'chat','c1-1');
INSERT INTO "messages" VALUES(9,'Igor','Igor left',1764000000000009,'system',NULL);
INSERT INTO "messages" VALUES(10,'Zoë','Igor joined',1764000000000010,'chat',NULL);
INSERT INTO "messages" VALUES(11,'Zoë','a poll: 1 or 2?',1764000000000011,'chat','p1');
CREATE UNIQUE INDEX messages_by_key ON messages (key, sender) WHERE key IS NOT NULL;
CREATE INDEX changes ON messages (id) WHERE kind = 'system';
COMMIT;
PRAGMA user_version = 1;
PRAGMA application_id = 1350132584;
