"""The owner's pages, which need a session. A handler takes a microdot Request and returns a microdot Response."""

from device.compat import const
from device.errors import FirstbootError, RequestError, SettingsError
from device.owner import lifecycle
from device.web import answers, licences, owner_pages, pages, sessions, status_page, texts, words
from device.web.html import NO_PROBLEM
from device.web.site import Site, check_again, field, read_form

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any


class OwnerSite(Site):
    """All pages of one unit."""

    _is_resetting = False  # the factory reset that this process has begun; the restart ends it

    def _elsewhere(self, path: str, state: str) -> "tuple[str, ...]":
        if self._is_resetting and state == lifecycle.FAILED:
            return owner_pages.resetting()
        return super()._elsewhere(path, state)

    def _owner_page(self, request: "Any", part: "Any", form: "Any") -> "Any":
        """Return the page `form(info, status)`; for a program, `part` of the status as JSON."""
        found = self.device.status()
        if answers.wants_json(request):
            return answers.data(found[part] if part else found)
        return answers.page(form(self.device.public_info(), found))

    def surroundings(self, request: "Any") -> "pages.Surroundings":
        """Return navigation and the notice of the end of support for public pages too, if signed in (SP-08)."""
        if not self.token(request):
            return pages.NOTHING
        return owner_pages.surroundings(request.path, self.device.status())

    async def status(self, request: "Any") -> "Any":
        """Return the page with version, support period, updates and recent problems."""
        word = self.word("/status")
        return self._owner_page(
            request, "", lambda info, found: status_page.status(info, found, NO_PROBLEM, word)
        )

    async def status_json(self, request: "Any") -> "Any":
        """Return the whole status for a program."""
        return answers.data(self.device.status())

    async def updates(self, request: "Any") -> "Any":
        """Return the page about updates."""
        word = self.word("/updates")
        return self._owner_page(
            request, "update", lambda info, found: owner_pages.updates(info, found, NO_PROBLEM, word)
        )

    async def change_updates(self, request: "Any") -> "Any":
        """Carry out `action`: on, off, postpone (with `days`), install, check (UP-06, UP-07)."""
        fields = read_form(request)
        action, days = field(fields, "action"), fields.get("days", "")
        try:
            self._carry_out(action, days)
        except FirstbootError as error:
            if isinstance(error, RequestError):
                raise
            # A second click, or a second tab, after the installation began asks for the same.
            is_repeated = action == "install" and self.word("/updates") == texts.INSTALLING
            if not is_repeated or error.fields.get("reason") != "no offer":
                return self.refused(
                    request,
                    error,
                    lambda info, problem: owner_pages.updates(info, self.device.status(), problem, "", days),
                )
        path = "/status" if action == "check" else "/updates"
        self.say(path, texts.UPDATES_DONE[action])
        return answers.done(request, path)

    def _carry_out(self, action: str, days: str) -> None:
        if action in ("on", "off"):
            self.device.set_automatic(action == "on")
        elif action == "postpone":
            # Two digits are enough for limits.POSTPONE_DAYS; int() and isdigit() would take more than 0 to 9.
            if not 1 <= len(days) <= 2 or any([digit not in "0123456789" for digit in days]):
                raise SettingsError(reason="days")
            self.device.postpone(int(days))
        elif action == "install":
            self.device.install_now()
        elif action == "check":
            self.device.check_now()
        else:
            raise RequestError(status=400, reason="action")

    async def application(self, request: "Any") -> "Any":
        """Return the page that the application declared; 404 without one."""
        found = self.device.status()
        page = owner_pages.page_of(found)
        if page is None:
            return answers.refuse(request, 404, texts.http_text(404))
        if answers.wants_json(request):
            return answers.data(page)
        # Imported here: a unit whose application has no page has no heap for it.
        from device.web import app_page

        return answers.page(
            app_page.application(self.device.public_info(), found, NO_PROBLEM, self.word(app_page.PATH))
        )

    async def change_application(self, request: "Any") -> "Any":
        """Carry out `action`: save (with `set_NAME` for each setting), do (with `name` of an action)."""
        fields = read_form(request)
        action = field(fields, "action")
        page = owner_pages.page_of(self.device.status())
        if page is None:
            return answers.refuse(request, 404, texts.http_text(404))
        from device.web import app_page

        try:
            if action == "save":
                self.device.change_application(app_page.values_of(page, fields))
            elif action == "do":
                self.device.act(field(fields, "name"))
            else:
                raise RequestError(status=400, reason="action")
        except SettingsError as error:
            reason, name = str(error.fields.get("reason", "")), str(error.fields.get("setting", ""))
            typed = fields if action == "save" else None
            return self.refused(
                request,
                error,
                lambda info, problem: app_page.application(
                    info,
                    self.device.status(),
                    app_page.problem_of(page, problem.text, reason, name),
                    "",
                    typed,
                ),
            )
        self.say(app_page.PATH, app_page.SAVED if action == "save" else app_page.ASKED)
        return answers.done(request, app_page.PATH)

    async def home(self, request: "Any") -> "Any":
        """Return the page about the broker in the owner's home."""
        # Imported here: a unit whose owner has no such broker has no heap for it.
        from device.web import home_site

        return home_site.show(self, request)

    async def change_home(self, request: "Any") -> "Any":
        """Carry out `action`: save, on, off, test, forget."""
        from device.web import home_site

        return home_site.change(self, request)

    async def support(self, request: "Any") -> "Any":
        """Return the page about the support period (SP-08)."""
        return self._owner_page(request, "support", owner_pages.support_period)

    async def password_form(self, request: "Any") -> "Any":
        """Return the form for a change of password."""
        return self._owner_page(request, "", owner_pages.password)

    async def change_password(self, request: "Any") -> "Any":
        """Replace the password; every session ends, including this one (PW-12)."""
        fields = read_form(request)
        current, new = field(fields, "current"), field(fields, "password")
        try:
            check_again(fields, new)
            await self.device.change_password(current, new, fields.get("normalised") == "1")
        except FirstbootError as error:
            return self.refused(request, error, self._with_problem(owner_pages.password), "current")
        self.say("/login", texts.PASSWORD_CHANGED)
        return self._signed_out(answers.done(request, "/login"))

    async def reset_form(self, request: "Any") -> "Any":
        """Return the form for a factory reset."""
        return self._owner_page(request, "", owner_pages.reset)

    async def reset(self, request: "Any") -> "Any":
        """Begin a factory reset; the password and the ticked box confirm it (SE-11)."""
        fields = read_form(request)
        password = field(fields, "password")
        is_ticked = fields.get("confirm") == "yes"
        try:
            if not is_ticked:
                raise SettingsError(reason="confirm")
            await self.device.reset(password)
        except FirstbootError as error:
            return self.refused(
                request,
                error,
                lambda info, problem: owner_pages.reset(info, self.device.status(), problem, is_ticked),
            )
        self._is_resetting = True
        if answers.wants_json(request):
            return self._signed_out(answers.data({"next": "/"}))
        words.use(request.headers, request.path)  # other clients were served meanwhile
        return self._signed_out(answers.page(owner_pages.resetting()))

    async def licences(self, request: "Any") -> "Any":
        """Return the parts of the software and their licences."""
        if answers.wants_json(request):
            return answers.data([{"name": name, "licence": licence} for name, licence, _ in licences.PARTS])
        return self._owner_page(request, "", owner_pages.licence_texts)

    async def logout(self, request: "Any") -> "Any":
        """End the session of this browser."""
        self.sessions.end(self.token(request))
        self.say("/", texts.SIGNED_OUT)
        response = answers.done(request, "/")
        response.headers["Set-Cookie"] = sessions.no_cookie()
        return response

    def _signed_out(self, response: "Any") -> "Any":
        self.sessions.end_all()
        response.headers["Set-Cookie"] = sessions.no_cookie()
        return response

    def _with_problem(self, form: "Any") -> "Any":
        return lambda info, problem: form(info, self.device.status(), problem)
