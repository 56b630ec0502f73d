"""Evidence from the decision log: lift, off-policy evaluation, funnels, journeys, a pilot's go or no-go.

Read-only, one retailer at a time, in one snapshot; nothing here names a shopper, and no group of fewer than
`K_LEAST` shoppers is told apart.
"""

#: Fewer shoppers than this could be singled out: their numbers are withheld.
K_LEAST = 20
