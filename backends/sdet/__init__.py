"""The data model of the SDET, shared by the AAF import and the directories that speak it: pure functions, no input or output.

``records`` names attributes, ``normalise`` reads single values, ``rights`` the composite ones that give rights, ``rows`` puts a
whole record together, ``causes`` says what was odd about it.
"""
