"""The fonts of posters: Noto Sans, cut by ``make``; see ``OFL.txt`` for their licence."""
