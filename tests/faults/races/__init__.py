"""Races for the last coupons of budgets and for one coupon at many tills, with kills amid both."""
