"""Django with Django REST framework in one module: settings, models, serializers, viewsets, WSGI application.

In: DATABASE from the environment; ETAG=1 adds Django's ConditionalGetMiddleware. Out: the benchmark's endpoints.
Kept: what an API in production needs. Left out, in Django's favour: sessions, accounts, messages, the browsable API
and the count query of its pagination.
"""

import os

import django
from django.conf import settings

settings.configure(
    DEBUG=False,
    SECRET_KEY="only-for-the-benchmark",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        *(["django.middleware.http.ConditionalGetMiddleware"] if os.environ.get("ETAG") == "1" else []),
        "django.middleware.common.CommonMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["DATABASE"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 5,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.core.validators import MaxValueValidator, MinValueValidator  # noqa: E402 (needs the settings)
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models  # noqa: E402
from django.urls import include, path  # noqa: E402
from rest_framework import mixins, pagination, response, routers, serializers, viewsets  # noqa: E402


class Country(models.Model):
    code = models.CharField(max_length=2)
    name = models.CharField(max_length=80)

    class Meta:
        app_label = "bench"
        db_table = "countries"


class City(models.Model):
    name = models.CharField(max_length=80)
    country = models.ForeignKey(Country, models.PROTECT)
    latitude = models.FloatField()
    longitude = models.FloatField()
    population = models.IntegerField()

    class Meta:
        app_label = "bench"
        db_table = "cities"


class Visit(models.Model):
    city = models.ForeignKey(City, models.PROTECT)
    visitor = models.CharField(max_length=80)
    rating = models.IntegerField(validators=[MinValueValidator(1), MaxValueValidator(5)])

    class Meta:
        app_label = "bench"
        db_table = "visits"


class CountrySerializer(serializers.ModelSerializer):
    class Meta:
        model = Country
        fields = ["id", "code", "name"]


class CitySerializer(serializers.ModelSerializer):
    class Meta:
        model = City
        fields = ["id", "name", "country_id", "latitude", "longitude", "population"]


class CityWithCountrySerializer(serializers.ModelSerializer):
    country = CountrySerializer()

    class Meta:
        model = City
        fields = ["id", "name", "country", "latitude", "longitude", "population"]


class VisitSerializer(serializers.ModelSerializer):
    class Meta:
        model = Visit
        fields = ["id", "city", "visitor", "rating"]


class PageWithoutCount(pagination.LimitOffsetPagination):
    """REST framework's limit and offset, without its SELECT COUNT(*) for every page."""

    default_limit = 20
    max_limit = 100

    def paginate_queryset(self, queryset, request, view=None):
        limit, offset = self.get_limit(request), self.get_offset(request)
        return list(queryset[offset : offset + limit])

    def get_paginated_response(self, data):
        return response.Response(data)


class CityViewSet(viewsets.ReadOnlyModelViewSet):
    pagination_class = PageWithoutCount

    def get_queryset(self):
        country = self.request.query_params.get("country")
        if country is not None:
            return City.objects.filter(country_id=country).order_by("-population")
        if self.embeds_country:
            return City.objects.select_related("country").order_by("id")
        return City.objects.order_by("id")

    def get_serializer_class(self):
        return CityWithCountrySerializer if self.embeds_country else CitySerializer

    @property
    def embeds_country(self):
        return self.request.query_params.get("embed") == "country"


class VisitViewSet(mixins.CreateModelMixin, viewsets.GenericViewSet):
    queryset = Visit.objects.all()
    serializer_class = VisitSerializer


router = routers.SimpleRouter(trailing_slash=False)
router.register("cities", CityViewSet, basename="city")
router.register("visits", VisitViewSet, basename="visit")
urlpatterns = [path("", include(router.urls))]
application = get_wsgi_application()
