from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("onboarding.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "onboarding.views.problems.bad_request"
handler403 = "onboarding.views.problems.permission_denied"
handler404 = "onboarding.views.problems.not_found"
handler500 = "onboarding.views.problems.server_error"
