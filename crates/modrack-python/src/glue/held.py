"""Who holds a generation that was stopped: what keeps the globals of its modules alive, in words.

The places where a module usually leaves something are looked into first, by their names. Whatever else refers to the
generation is found by going back from its globals, through what has no name, to what has one.
"""

import _thread
import gc
import sys
import types

MARK = "__modrack__"
# How far is gone forwards from a place, and backwards from the globals; containers of more than so much are data.
REACH = 2000
STEPS = 8
WIDTH = 5000
LARGE = 10000
# A frame gives its variables without keeping a copy of them from 3.13 on.
SHOWS_LOCALS = sys.version_info >= (3, 13)


def holders(prefix):
    search = Search(prefix)
    if not search.own:
        return None
    for look in (
        search.threads,
        search.tasks,
        search.exits,
        search.signals,
        search.hooks,
        search.logging,
        search.finalizers,
        search.codecs,
        search.modules,
    ):
        try:
            look()
        except Exception as error:
            search.failed.append(f"{look.__name__} could not be looked into: {type(error).__name__}")
    search.back()
    return search.words or search.failed


def forget_types():
    """Has `typing` forget the types that it has made: it keeps the last of them, with the classes in them."""
    for clear in getattr(sys.modules.get("typing"), "_cleanups", ()):
        clear()


# Nobody is asked what it is: an object that answers for another one would run code of its own.
def is_a(thing, kind):
    return issubclass(type(thing), kind)


def is_globals(thing):
    return type(thing) is dict and "__builtins__" in thing and "__name__" in thing


def is_variable(thing):
    return type(thing).__name__ == "ContextVar"


def module_of(thing):
    """The name of the module that a class or a module is of; none for what is no text."""
    name = vars(thing).get("__module__" if is_a(thing, type) else "__name__")
    return name if type(name) is str else ""


def name_of(thing):
    """A callable, or the class of anything else, with where it is written."""
    thing = getattr(thing, "__wrapped__", thing)
    thing = getattr(thing, "func", thing) if type(thing).__name__ == "partial" else thing
    code = getattr(getattr(thing, "__func__", thing), "__code__", None)
    name = getattr(thing, "__qualname__", None)
    if isinstance(name, str) and code is not None:
        return f"`{name}` ({place(code.co_filename, code.co_firstlineno)})"
    if isinstance(name, str):
        return f"`{getattr(thing, '__module__', None) or ''}.{name}`".replace("`.", "`").replace("`builtins.", "`")
    return f"an object of {name_of(type(thing))}"


def place(file, line):
    return f"{file.rpartition('/')[2]}, line {line}"


def standing(frame):
    return f"in `{frame.f_code.co_name}` ({place(frame.f_code.co_filename, frame.f_lineno)})"


class Search:
    def __init__(self, prefix):
        self.prefix = prefix
        self.words = []
        self.failed = []
        # What a word was said of: nothing is looked for behind it.
        self.told = set()
        self.own = self._own()
        self.ids = {id(each) for each in self.own}
        asyncio = sys.modules.get("asyncio")
        # A loop leads to whatever is to run on it, and so do futures by who awaits them.
        self.loops = (asyncio.AbstractEventLoop, asyncio.Task) if hasattr(asyncio, "Task") else ()

    def _own(self):
        everything = gc.get_objects()
        marked = [thing for thing in everything if type(thing) is dict and MARK in thing]
        return [thing for thing in marked if getattr(thing[MARK], "prefix", None) == self.prefix]

    def say(self, word, thing=None):
        if thing is not None:
            self.told.add(id(thing))
        if word not in self.words:
            self.words.append(word)

    def leads(self, thing):
        """Whether the generation's globals are reached from here, other modules left aside."""
        seen = {id(thing)}
        waiting = [thing]
        while waiting and len(seen) < REACH:
            reached = []
            for each in waiting:
                if id(each) in self.ids:
                    return True
                if is_globals(each) or is_a(each, (type, types.ModuleType)) and not self._is_own(module_of(each)):
                    continue
                if is_a(each, (list, tuple, set, dict)) and len(each) > LARGE:
                    continue
                if is_a(each, self.loops):
                    continue
                for next in gc.get_referents(each):
                    if id(next) not in seen and gc.is_tracked(next):
                        seen.add(id(next))
                        reached.append(next)
            waiting = reached
        return False

    def _is_own(self, name):
        return name == self.prefix or name.startswith(self.prefix + ".")

    def look(self, words, thing, named=True):
        if thing is not None and id(thing) not in self.told and self.leads(thing):
            self.say(f"{words} {name_of(thing)}" if named else words, thing)

    # The usual places.

    def threads(self):
        me = _thread.get_ident()
        threading = sys.modules.get("threading")
        known = threading._active if threading else {}
        for number, frame in sys._current_frames().items():
            if number == me:
                continue
            thread = known.get(number)
            name = f"Thread `{thread.name}`" if thread else f"Thread {number}"
            frames = []
            while frame is not None:
                frames.append(frame)
                frame = frame.f_back
            own = [frame for frame in frames if id(frame.f_globals) in self.ids]
            if own:
                self.say(f"{name} is {standing(own[0])}", thread)
                continue
            if thread is not None and self.leads(thread):
                self.say(f"{name} has something of it, and is {standing(frames[0])}", thread)
                continue
            for value in self._variables(frames):
                if self.leads(value):
                    self.say(f"{name} has {name_of(value)}, and is {standing(frames[0])}", value)
                    break

    def _variables(self, frames):
        """What functions on a stack that are not the generation's have in their variables."""
        for frame in frames if SHOWS_LOCALS else ():
            module = frame.f_globals.get("__name__") or ""
            # Tasks of the event loop are looked at by themselves, and a module's variables are its globals.
            if not module.startswith(("asyncio", "selectors", "_modrack_")) and frame.f_code.co_name != "<module>":
                yield from list(frame.f_locals.values())

    def tasks(self):
        asyncio = sys.modules.get("asyncio")
        if asyncio is None:
            return
        for thing in gc.get_objects():
            if is_a(thing, asyncio.Task) and not thing.done() and self.leads(thing.get_coro()):
                coroutine = thing.get_coro()
                frame = getattr(coroutine, "cr_frame", None)
                at = standing(frame) if frame else "there"
                self.say(f"Task `{thing.get_name()}` of the event loop is {at}", thing)
                self.told.add(id(coroutine))
            elif is_a(thing, asyncio.Handle) and not thing.cancelled():
                callback = thing._callback
                if not is_a(getattr(callback, "__self__", None), asyncio.Task):
                    if self.leads(callback) or self.leads(thing._args):
                        self.say(f"The event loop is to call {name_of(callback)}", thing)

    def exits(self):
        atexit = sys.modules.get("atexit")
        if atexit is None:
            return
        seen = []

        class Looks:
            # What is to be taken away is compared with each callback, and there is no other way to see them.
            def __eq__(self, other):
                seen.append(other)
                return False

            __hash__ = None

        atexit.unregister(Looks())
        for callback in seen:
            self.look("`atexit` is to call", callback)
        for callback in getattr(sys.modules.get("threading"), "_threading_atexits", ()):
            self.look("`threading` is to call at exit", callback)

    def signals(self):
        signal = sys.modules.get("signal")
        for number in signal.valid_signals() if signal else ():
            handler = signal.getsignal(number)
            if callable(handler):
                self.look(f"Signal `{getattr(number, 'name', number)}` is handled by", handler)

    def hooks(self):
        for name in ("excepthook", "displayhook", "unraisablehook", "breakpointhook", "stdin", "stdout", "stderr"):
            self.look(f"`sys.{name}` is", getattr(sys, name, None))
        for name in ("last_exc", "last_value", "last_traceback"):
            self.look(f"`sys.{name}` has frames of it", getattr(sys, name, None), named=False)
        self.look("`sys.settrace` was given", sys.gettrace())
        self.look("`sys.setprofile` was given", sys.getprofile())
        for name in ("meta_path", "path_hooks"):
            for entry in getattr(sys, name):
                self.look(f"`sys.{name}` has", entry)
        for path, entry in list(sys.path_importer_cache.items()):
            self.look(f"`sys.path_importer_cache` has for `{path}`", entry)
        for callback in gc.callbacks:
            self.look("`gc.callbacks` has", callback)
        for name in ("excepthook", "_trace_hook", "_profile_hook"):
            self.look(f"`threading.{name}` is", getattr(sys.modules.get("threading"), name, None))
        for name in ("showwarning", "formatwarning"):
            self.look(f"`warnings.{name}` is", getattr(sys.modules.get("warnings"), name, None))
        copyreg = sys.modules.get("copyreg")
        for kind, reduce in list(getattr(copyreg, "dispatch_table", {}).items()):
            if self.leads(kind) or self.leads(reduce):
                self.say(f"`copyreg` knows {name_of(kind)}", reduce)
                self.told.add(id(kind))

    def logging(self):
        logging = sys.modules.get("logging")
        if logging is None or not hasattr(logging, "root"):
            return
        for name, logger in [("root", logging.root), *logging.root.manager.loggerDict.items()]:
            for handler in getattr(logger, "handlers", ()):
                self.look(f"Logger `{name}` has the handler", handler)
            for each in getattr(logger, "filters", ()):
                self.look(f"Logger `{name}` has the filter", each)
            if self._is_own(module_of(type(logger))):
                self.look(f"Logger `{name}` is", logger)
        for name in ("_logRecordFactory", "_loggerClass"):
            self.look("`logging` makes records or loggers by", getattr(logging, name, None))

    def finalizers(self):
        weakref = sys.modules.get("weakref")
        registry = weakref.finalize._registry if weakref else {}
        for finalizer, info in list(registry.items()):
            if any(self.leads(each) for each in (info.func, info.args, info.kwargs)):
                self.say(f"`weakref.finalize` is to call {name_of(info.func)}", info)
                self.told.update(id(each) for each in (finalizer, info.func, info.args, info.kwargs))

    def codecs(self):
        encodings = sys.modules.get("encodings")
        if encodings is None:
            return
        for searched in gc.get_referrers(encodings.search_function):
            if type(searched) is list:
                for function in searched:
                    self.look("`codecs` searches by", function)

    def modules(self):
        for name, module in list(sys.modules.items()):
            if not self._is_own(name) and id(getattr(module, "__dict__", None)) in self.ids:
                self.say(f"`sys.modules` has it as `{name}`", module)

    # Whatever else.

    def back(self):
        """Goes back from the globals to whatever has a name."""
        reached = dict.fromkeys(self.ids)
        ends = {}
        for _ in range(STEPS):
            found = set()
            for thing in gc.get_objects():
                number = id(thing)
                if number in reached or number in ends or number in self.told or thing is self.own or thing is ends:
                    continue
                if type(thing) is types.FrameType and thing.f_globals is globals():
                    continue
                if any(id(each) in reached and id(each) not in self.told for each in gc.get_referents(thing)):
                    if self._is_end(thing):
                        ends[number] = thing
                    else:
                        found.add(number)
            if not found or len(reached) + len(found) > WIDTH:
                break
            reached.update(dict.fromkeys(found))
        for end in ends.values():
            self._end(end, reached)

    def _is_end(self, thing):
        """Whether what has no name ends here."""
        kind = type(thing).__name__
        return (
            (is_globals(thing) or thing is sys.modules)
            or (is_a(thing, type) and not self._is_own(module_of(thing)))
            or (kind == "_lru_cache_wrapper" and not self._is_own(getattr(thing, "__module__", None) or ""))
            or (kind.startswith("hamt_bitmap") and any(map(is_variable, gc.get_referents(thing))))
        )

    def _end(self, thing, reached):
        """Says what has something of it, and under which names."""
        if thing is globals() or thing is sys.modules:
            return
        if is_globals(thing):
            other = getattr(thing.get(MARK), "prefix", None)
            who = f"`{thing['__name__']}`" + (f" of generation {other.rpartition('.')[2]}" if other else "")
            named = thing
        elif is_a(thing, type):
            who, named = f"Class {name_of(thing)}", vars(thing)
        elif type(thing).__name__.startswith("hamt"):
            variables = list(filter(is_variable, gc.get_referents(thing)))
            who, named = "A context", {variable.name: variable for variable in variables}
            reached = {id(variable) for variable in variables}
        else:
            who, named = f"The cache of {name_of(thing)}", {}
        keys = [key for key, value in list(named.items()) if id(value) in reached and id(value) not in self.told]
        for key in keys:
            self.say(f"{who} has `{key}`")
        if not keys:
            self.say(f"{who} has something of it")
