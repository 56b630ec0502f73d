"""What the shops of the demo sell: invented products and prices by kind of shop."""

from typing import Final, NamedTuple

import msgspec


class Article(NamedTuple):
    """A product that every shop of its department has."""

    name: str
    price: str  #: euros


class Department(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of shop: where its products stand in the catalogue, and what they are."""

    path: str  #: the category, `a > b`
    kinds: frozenset[str]  #: values of OpenStreetMap's `shop` tag
    articles: tuple[Article, ...]
    radius_m: int = 40  #: of the geofence around such a shop


def _department(path: str, kinds: str, articles: str, radius_m: int = 40) -> Department:
    """One line of the table: kinds with blanks between, articles as `name price; name price`."""
    parts = (article.strip().rpartition(" ") for article in articles.split(";"))
    return Department(
        path=path,
        kinds=frozenset(kinds.split()),
        articles=tuple(Article(name, price) for name, _, price in parts),
        radius_m=radius_m,
    )


# Kinds that are not here have no products and so no offers, on purpose: nobody wants a push from a funeral
# director, a pawnbroker or a hearing-aid shop, and Finnish law forbids discounts on alcohol.
DEPARTMENTS: Final = (
    _department(
        "Fashion > Clothes",
        "clothes boutique tailor second_hand",
        "Linen shirt 49.90; Wool sweater 89.00; Straight jeans 79.90; Rain coat 129.00; Cotton dress 69.90",
    ),
    _department(
        "Fashion > Shoes",
        "shoes",
        "Leather sneakers 99.00; Ankle boots 149.00; Canvas trainers 59.90; Rubber boots 69.90",
    ),
    _department(
        "Fashion > Bags and hats",
        "bag handbags leather hat hats",
        "Leather handbag 189.00; City backpack 89.00; Felt hat 59.00; Leather gloves 65.00",
    ),
    _department(
        "Fashion > Jewellery and watches",
        "jewelry gold watches",
        "Silver earrings 59.00; Wrist watch 199.00; Spectrolite pendant 120.00; Amber bracelet 75.00",
    ),
    _department(
        "Beauty > Hair",
        "hairdresser",
        "Haircut 52.00; Hair colouring 119.00; Shampoo 24.50; Beard trim 29.00",
    ),
    _department(
        "Beauty > Care",
        "beauty beauty_salon cosmetics nails nailstudio massage",
        "Facial 79.00; Manicure 45.00; Hand cream 14.90; Neck massage 49.00; Sun cream 19.90",
    ),
    _department(
        "Health > Eyes",
        "optician",
        "Reading glasses 129.00; Sunglasses 149.00; Eye examination 45.00; Contact lenses 39.90",
    ),
    _department(
        "Health > Natural products", "health_food", "Cloudberry oil 24.90; Herbal tea 7.90; Vitamin D 12.90"
    ),
    _department(
        "Home > Furniture",
        "furniture bed carpet",
        "Reading chair 349.00; Birch stool 219.00; Down pillow 69.00; Woven rug 189.00; Desk lamp 119.00",
        60,
    ),
    _department(
        "Home > Interior",
        "interior_decoration houseware kitchen cookware fabric candles frame antiques",
        "Tablecloth 59.90; Glass vase 89.00; Cast-iron pan 99.00; Beeswax candles 12.50; Coffee cups 39.00",
    ),
    _department(
        "Home > Tools",
        "hardware doityourself locks locksmith",
        "Cordless drill 129.00; Tool box 49.90; Bicycle lock 39.90; Garden shears 29.90",
        60,
    ),
    _department("Home > Laundry", "laundry", "Shirt service 4.90; Duvet wash 29.00; Coat cleaning 24.00"),
    _department(
        "Food > Groceries",
        "supermarket grocery convenience deli butcher mall",
        "Rye bread 3.20; Smoked salmon 8.90; Karelian pasties 3.90; Strawberries 5.50; Filter coffee 7.40",
        60,
    ),
    _department(
        "Food > Bakery and sweets",
        "bakery confectionery",
        "Cinnamon roll 4.20; Salmiak mix 5.90; Sourdough loaf 6.50; Chocolate box 18.90",
    ),
    _department(
        "Food > Tea and drinks", "tea beverages", "Green tea 9.90; Tea pot 45.00; Ginger smoothie 6.90"
    ),
    _department("Food > Kiosk", "kiosk", "Coffee and bun 4.50; Ice cream cone 3.90; Sandwich 5.90"),
    _department(
        "Leisure > Sports",
        "sports outdoor",
        "Running trainers 119.00; Rain jacket 149.00; Backpack 139.00; Yoga mat 39.90; Wool socks 15.90",
        60,
    ),
    _department(
        "Leisure > Bicycles", "bicycle", "City bike 649.00; Bicycle helmet 69.00; Bicycle service 79.00"
    ),
    _department(
        "Leisure > Books",
        "books",
        "Crime novel 24.90; City guide 19.90; Cook book 34.90; Picture book 17.90",
    ),
    _department(
        "Leisure > Music",
        "music records musical_instrument",
        "Vinyl record 29.90; Acoustic guitar 249.00; Guitar strings 14.90",
    ),
    _department(
        "Leisure > Toys and games",
        "toys games anime party",
        "Board game 39.90; Wooden train 44.90; Jigsaw puzzle 19.90; Balloon set 9.90",
    ),
    _department(
        "Leisure > Crafts", "craft handicraft handicrafts", "Wool yarn 8.90; Birch-bark basket 49.00"
    ),
    _department("Leisure > Art", "art", "Art print 75.00; Ceramic bowl 95.00; Exhibition book 42.00"),
    _department("Leisure > Pets", "pet", "Dog lead 24.90; Cat food 12.90; Dog coat 39.90"),
    _department(
        "Leisure > Travel and tickets", "travel_agency ticket", "City tour 39.00; Concert ticket 59.00"
    ),
    _department(
        "Electronics > Devices",
        "electronics computer hifi photo",
        "Wireless headphones 149.00; Tablet 399.00; Loudspeaker 229.00; Photo book 34.90",
        60,
    ),
    _department(
        "Electronics > Phones", "mobile_phone", "Phone case 29.90; Power bank 39.90; Smart watch 249.00"
    ),
    _department(
        "Gifts > Gifts and flowers",
        "gift florist variety_store",
        "Enamel mug 24.90; Bunch of tulips 14.90; Notebook 9.90; Gift box 29.90",
    ),
    _department(
        "Family > Baby goods", "baby_goods", "Baby carrier 119.00; Wool overall 89.00; Night light 24.90"
    ),
)


def department_of(kind: str) -> Department | None:
    """The department of a shop by its tag (the first of `a; b` counts); None where it sells nothing here."""
    first = kind.partition(";")[0].strip()
    return next((department for department in DEPARTMENTS if first in department.kinds), None)
