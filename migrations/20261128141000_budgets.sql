-- migrate:up

-- A ledger for each purse of an offer: '' is all of it; others are those of its caps, per store and per period.
ALTER TABLE ledgers
  ADD COLUMN purse text NOT NULL DEFAULT '',
  ADD COLUMN opened_at timestamptz NOT NULL DEFAULT now(),
  DROP CONSTRAINT ledgers_pkey,
  ADD PRIMARY KEY (retailer_id, offer, purse);
-- The purses in which a coupon is counted.
ALTER TABLE coupons ADD COLUMN purses text[] NOT NULL DEFAULT '{""}';

-- migrate:down

ALTER TABLE coupons DROP COLUMN purses;
DELETE FROM ledgers WHERE purse <> '';
ALTER TABLE ledgers
  DROP CONSTRAINT ledgers_pkey,
  ADD PRIMARY KEY (retailer_id, offer),
  DROP COLUMN opened_at,
  DROP COLUMN purse;
