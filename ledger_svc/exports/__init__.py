"""An account's statement as a file: for spreadsheets, and for programs of bank people.

Pure: lines in, pieces of the file out, page by page.
"""
