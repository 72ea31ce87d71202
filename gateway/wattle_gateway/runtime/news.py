"""Something has changed: said by whoever sees it, waited for by the one task that looks."""

import asyncio


class News:
    """One flag. It is up at the start, for what came before; many words are one."""

    def __init__(self) -> None:
        self._told = asyncio.Event()
        self._told.set()

    def tell(self) -> None:
        """There is something to look at."""
        self._told.set()

    async def wait(self, again_after_s: float) -> None:
        """Until there is, or for so long: what could not be done then is tried again."""
        try:
            async with asyncio.timeout(again_after_s):
                await self._told.wait()
        except TimeoutError:
            pass
        self._told.clear()
