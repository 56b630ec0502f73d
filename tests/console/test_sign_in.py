"""Signing in and out."""

from tests.console.conftest import Desk, shoot, sign_in


async def test_somebody_with_an_account_signs_in_and_out(desk: Desk) -> None:
    watched = await desk.sit(None)
    page = watched.page
    await page.get_by_role("heading", name="Sign in to Vicino").wait_for()
    await shoot(page, "sign-in")

    await sign_in(page, "admin")
    await page.get_by_role("button", name="Sign out").click()

    await page.get_by_role("heading", name="Sign in to Vicino").wait_for()
