"""What `explain` makes of somebody's refused call: the facts that a running proxy would have gathered by itself.

    answers    the bank's answer, wherever it stands in what was pasted
    blame      from what verification finds in a message to the causes of core.diagnosis
    cases      request, answer and keys -> Case
    saved      an exchange that the inspector has saved
"""
