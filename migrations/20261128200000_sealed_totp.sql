-- migrate:up

-- Second factors' secrets are sealed (server/accounts/totp.py): 1 byte of version, 12 of nonce, 20 of secret, 16 of tag.
-- What was kept bare is forgotten, and to be set up anew.
UPDATE users SET totp_secret = NULL, totp_confirmed = false WHERE totp_secret IS NOT NULL;
ALTER TABLE users ADD CONSTRAINT users_totp_sealed CHECK (octet_length(totp_secret) = 49);

-- migrate:down

ALTER TABLE users DROP CONSTRAINT users_totp_sealed;
UPDATE users SET totp_secret = NULL, totp_confirmed = false WHERE totp_secret IS NOT NULL;
