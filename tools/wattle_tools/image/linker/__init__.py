"""Many modules made into one small one, for a board whose flash and heap are short.

    program = link.link(modules, [("esp32_board", "main")])
    program.source      # one Python file for mpy-cross, whose main() is esp32_board.main()
    program.names       # what became of each name, for who reads a traceback of the board

What is done, in this order, each in a file of its own:

  stripping     docstrings, annotations, asserts and what only a type checker reads are left out
  resolving     each global name gets one meaning in the whole program, modules disappear
  constants     names of constants are replaced by their values
  attributes    so are attributes that are constants of a board; branches that never run go
  reaching      functions, methods and classes that nothing can call are left out
  numbering     texts of errors about bytes from outside become numbers
  sharing       attributes that no object has both get one name
  comparisons   chains of comparisons are taken apart
  loops         comprehensions become loops
  inlining      functions that are called once are put where they are called (call_sites): returns
                become branches (returns), nothing is evaluated in another order (evaluation),
                locals share places (slots)
  naming        short names for what is ours, and a table of those used most
  writing       the source
  readable      what the names stand for, and a board's log with it

The sources need to be plain: what the linker does not understand (names looked up by text,
modules as values) it refuses with a LinkError that names file and line; nothing is guessed.
"""
