"""What a GraphQL client sees while parts of the platform are down: recorded, checked, printed.

`python -m scripts.outages` brings a platform of its own up, holds parts down in turn, and asks as a
signed-in customer before, during and after. `course.py` does, `promises.py` judges what was recorded,
`page.py` shows it.
"""
